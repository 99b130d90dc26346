/** Forecast of requests and cost. It lists the destinations, so it is made when somebody asks. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { CostView } from '../src/source.ts';
import { describeBytes } from '../src/words.ts';
import { Panel } from './panel.tsx';
import { useLoaded } from './hooks.ts';

interface CostProps {
  readonly load: (signal: AbortSignal) => Promise<readonly CostView[]>;
}

export function Costs({ load }: CostProps): JSX.Element {
  const [asked, setAsked] = useState(0);
  const { value, error, isLoading } = useLoaded(asked === 0 ? undefined : String(asked), load);
  return (
    <Panel
      title="Requests and cost of a month"
      aside={
        <button type="button" disabled={isLoading} onClick={() => setAsked(asked + 1)}>
          {isLoading ? 'Reading …' : 'Estimate'}
        </button>
      }
    >
      {value === undefined && error === undefined && (
        <p class="quiet">An estimate lists the files of each destination once.</p>
      )}
      {error !== undefined && <p class="error">{error}</p>}
      {value !== undefined && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Requests and cost">
          <table>
            <thead>
              <tr>
                <th scope="col">Destination</th>
                {['PUT', 'GET', 'LIST', 'DELETE', 'Sent', 'Stored', 'Cost'].map((name) => (
                  <th key={name} scope="col" class="number">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {value.map((each) => (
                <CostRow key={each.destination} cost={each} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function CostRow({ cost }: { cost: CostView }): JSX.Element {
  const { destination, error, requests, sentBytes, storedBytes, money, prices } = cost;
  if (requests === undefined) {
    return (
      <tr>
        <td>{destination}</td>
        <td colSpan={7} class="quiet wrap">
          {error}
        </td>
      </tr>
    );
  }
  const counts = [requests.put, requests.get, requests.list, requests.delete];
  return (
    <tr>
      <td>
        {destination}
        <br />
        <span class="quiet">{prices}</span>
      </td>
      {counts.map((count, index) => (
        <td key={index} class="number">
          {Math.round(count).toLocaleString('en-US')}
        </td>
      ))}
      <td class="number">{describeBytes(sentBytes ?? 0)}</td>
      <td class="number">{describeBytes(storedBytes ?? 0)}</td>
      <td class="number">
        {money === undefined ? '–' : `${money.currency} ${money.total.toFixed(2)}`}
      </td>
    </tr>
  );
}
